"""What an operator writes: a kommune's file, and the connections it names."""
