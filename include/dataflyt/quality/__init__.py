"""Data quality: rules as data, the expectations behind the rules, and the checking of staged tables."""
