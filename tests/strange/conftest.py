from tests.shelf.fixtures import make_stage, stage

__all__ = ["make_stage", "stage"]
