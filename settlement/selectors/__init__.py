"""Reads for using rights: what may serve a request, who pays for it."""
