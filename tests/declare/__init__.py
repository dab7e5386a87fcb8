"""What projects declare. Also an app, whose models are declared in every way that there is; it has no tables."""
