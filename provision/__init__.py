"""One device at a time and the bench it hangs on: facts, plan, apply, verify. Knows no registry."""
