"""The locks by which one of several processes leads."""
