"""Print the fields of the form that standard input holds."""
