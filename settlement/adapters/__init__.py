"""The one room that speaks to suppliers. Each adapter turns a leg into real calls and reports facts, never economics (SPEC §8)."""
