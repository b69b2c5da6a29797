"""What everything else stands on: arrays of either device, checks of arguments, work in blocks."""
