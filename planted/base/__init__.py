"""Common foundations: arrays on any device, argument checks, and work in memory-limited blocks."""
