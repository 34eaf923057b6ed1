"""What an operator writes: a kommune's file, and the connections that it names."""
