"""Dataflyt: from the national registers to a school owner's FEIDE directory."""
