"""What all guarantees share: instances, verdicts, sampling, the attack, the ledger, shrinking."""
