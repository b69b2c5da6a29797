"""Framework of the guarantees: instances, verdicts, sampling, the attack, the ledger, shrinking."""
