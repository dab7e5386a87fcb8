"""An installed app whose models exist only for the tests."""
