"""Decisions: plain functions of plain values. No I/O, no clock, no event loop."""
