"""What tests and tools share: runs from descriptions, a service of their own, a browser, faults."""
