"""What writers of a campaign remember of rows that are not there; nobody caches it."""

from django.db import models


class Kept(models.Model):
    """The version that a deleted row had."""

    isbn = models.CharField(max_length=20, unique=True)
    version = models.IntegerField()
