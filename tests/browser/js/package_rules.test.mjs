import assert from "node:assert/strict";
import { test } from "node:test";
import * as rules from "../../../exchange/static/js/lib/package_rules.js";

const right = (policy = {}, more = {}) => ({
  id: "rgt_00000000",
  resource: { unit: "tokens" },
  remaining_amount: "9007199254740993",
  reserved_amount: "1",
  transfer_policy: policy,
  ...more,
});

test("a policy that loosens is named at its field, with what the component has", () => {
  const cases = [
    ["transfer_cutoff_seconds", 60, 600],
    ["min_hold_seconds", 0, 1],
    ["min_transfer_units", "9", "10"],
    ["max_holders", 3, 2],
    ["max_units_per_holder", "9007199254740993", "9007199254740992"],
    ["lockup_until", "2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z"],
    ["eligible_jurisdictions", ["US", "DE"], ["US"]],
    ["required_attestations", ["kyc"], ["kyc", "enterprise"]],
    ["denied_holders", [], ["acc_1"]],
  ];
  for (const [field, stated, has] of cases) {
    const found = rules.loosened({ [field]: stated }, [right(), right({ [field]: has })]);
    assert.deepEqual(found.map((fault) => fault.field), [`policy.${field}`], field);
  }
});

test("what tightens, or is the same, passes", () => {
  const policy = { transferable: false, transfer_cutoff_seconds: 600, max_holders: 2, eligible_jurisdictions: ["US"], required_attestations: ["kyc"] };
  const has = { transferable: true, transfer_cutoff_seconds: 600, max_holders: null, eligible_jurisdictions: "any", required_attestations: [] };
  assert.deepEqual(rules.loosened(policy, [right(has)]), []);
});

test("parts never come to more than is free, digit by digit", () => {
  const fits = [{ right: right(), units: "9007199254740992" }];
  assert.deepEqual(rules.partFaults("bundle", fits), []);
  assert.deepEqual(rules.partFaults("bundle", [{ right: right(), units: "9007199254740993" }]).map((f) => f.field), ["parts.0.units"]);
  assert.deepEqual(rules.partFaults("bundle", [{ right: right(), units: "1e3" }]).map((f) => f.field), ["parts.0.units"]);
  assert.deepEqual(rules.partFaults("bundle", []).map((f) => f.field), ["parts"]);
});

test("each type asks for what it needs", () => {
  const part = { right: right(), units: "1" };
  assert.deepEqual(rules.partFaults("slice", [part, part]).map((f) => f.field), ["parts"]);
  assert.deepEqual(rules.partFaults("tranche", [part]).map((f) => f.field), ["parts.0.tier", "parts"]);
  assert.deepEqual(rules.partFaults("strategy", [part]).map((f) => f.field), ["parts.0.branch"]);
  const tranche = [{ ...part, tier: "overflow" }, { ...part, tier: "baseline" }];
  assert.deepEqual(rules.drawn("tranche", tranche).map((one) => one.tier), ["baseline", "overflow"]);
});

test("sums are by unit, and exact", () => {
  const parts = [
    { right: right(), units: "9007199254740992" },
    { right: right(), units: "1" },
    { right: right({}, { resource: { unit: "minutes" } }), units: "60" },
    { right: right(), units: "x" },
  ];
  assert.deepEqual(rules.sumsOf(parts), [["tokens", "9007199254740993"], ["minutes", "60"]]);
});

test("a part too small to move is remarked on, not refused", () => {
  const small = right({ min_transfer_units: "1000", splittable: true });
  assert.deepEqual(rules.partNotes([{ right: small, units: "1000" }, { right: small, units: "999" }]).map((note) => note.place), [1]);
  assert.deepEqual(rules.partFaults("bundle", [{ right: small, units: "999" }]), []);
  const whole = right({ splittable: false });
  assert.deepEqual(rules.partNotes([{ right: whole, units: "1" }, { right: whole, units: whole.remaining_amount }]).map((note) => note.place), [0]);
});

test("what a package has of a right is free for the package itself, while it is changed", () => {
  const out = rules.asIfOut(right({}, { reserved_amount: "9007199254740993" }), "9007199254740992");
  assert.equal(rules.freeUnits(out), "9007199254740992");
});

test("what is split off is in the package, and something stays", () => {
  const parts = [{ right_id: "a", units: "9007199254740993" }, { right_id: "b", units: "5" }];
  const at = (...taken) => rules.splitFaults(parts, taken.map(([id, units]) => ({ right_id: id, units }))).map((fault) => fault.field);
  assert.deepEqual(at(), ["parts"]);
  assert.deepEqual(at(["a", "9007199254740992"]), []);
  assert.deepEqual(at(["a", "9007199254740993"]), []);
  assert.deepEqual(at(["a", "9007199254740994"], ["b", "0"]), ["parts.0.units", "parts.1.units"]);
  assert.deepEqual(at(["b", "1e1"]), ["parts.0.units"]);
  assert.deepEqual(at(["a", "9007199254740993"], ["b", "5"]), ["parts"]);
});
