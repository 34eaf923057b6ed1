"""The operator's settings: a kommune's file, and the connections that it names."""
