"""Make the tables of a campaign and the rows that it begins with: ``python -m tests.scenarios.ground``."""

from __future__ import annotations

import django

django.setup()

from django.db import connection  # noqa: E402

from tests.scenarios.models import Kept  # noqa: E402
from tests.scenarios.rows import AUTHORS, HOT, mark_of  # noqa: E402
from tests.shelf.models import Atlas, Author, Book, Loan, Topic  # noqa: E402


def main() -> None:
    with connection.schema_editor() as editor:
        for model in (Author, Topic, Book, Atlas, Loan, Kept):
            editor.create_model(model)
    Author.objects.bulk_create(Author(pk=pk, name=f"author {pk}", rank=0) for pk in AUTHORS)
    Topic.objects.bulk_create(Topic(pk=pk, name=f"topic {pk}") for pk in (1, 2, 3))
    Book.objects.bulk_create(Book(pk=pk, isbn=f"hot-{pk}", version=0, mark=mark_of(0), author_id=AUTHORS[0]) for pk in HOT)


if __name__ == "__main__":
    main()
