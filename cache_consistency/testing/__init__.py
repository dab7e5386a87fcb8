"""What a project's own tests may use: private servers that start and end with the test, and what grows from there."""
