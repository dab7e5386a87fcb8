"""Every id of a system check with what it means, and the one way to make a message: an id that is not listed here cannot be reported."""

from __future__ import annotations

from django.core import checks

PREFIX = "cache_consistency."

CHECKS: dict[str, str] = {
    "E001": "CACHE_CONSISTENCY has a setting that does not exist.",
    "E002": "A setting holds a value that cannot be used; its default is in force (for VARY: nothing is cached).",
    "E003": "CACHE is not an alias of CACHES.",
    "W004": "Something is declared and CACHE names no store: everything works, uncached.",
    "W005": "The store lives inside one process (local memory).",
    "E006": "The store lives inside one process, in a deployment (only with --deploy).",
    "W007": "The store's backend keeps nothing (dummy): everything works, uncached.",
    "E008": "The store's backend or client is none that can keep the promise, or cannot be imported.",
    "W009": "Another alias of CACHES uses the same Redis database as the store.",
    "W010": "The store's alias is also used by others, who may clear it.",
    "W011": "Two aliases of DATABASES are one database under two addresses or with two views of it.",
    "E012": "django-tenants is installed and VARY is not set.",
    "E013": "QUARANTINE is shorter than MARK_TTL.",
    "E020": "A policy is neither a dict nor a CachePolicy.",
    "E021": "A policy has a key that does not exist.",
    "E022": "The ttl of a policy cannot be understood.",
    "E023": "The lookups of a policy are not a list of field names.",
    "E024": "The mode of a policy is unknown.",
    "E025": "A lookup names a field that the model does not have.",
    "E026": "A lookup names something without a column of its own: many-to-many, reverse or generic relation.",
    "W027": "A lookup on a field whose equality can never be exact: it finds rows, but through the tag of the whole table.",
    "E028": "The mode strict is not available in this release: the model is read as fresh, which promises less.",
    "W029": "The modes bounded and ttl are not available in this release: the model is read as fresh, which promises more.",
    "W030": "A model's own Meta dropped the policy of its abstract parent.",
    "W031": "Several policies are declared for one model, and they differ.",
    "E032": "A field of a cached model cannot be stored and come back the same.",
    "W033": "A cached model is not managed by Django: if its table is a view, writes to the tables below it are not seen.",
    "W034": "A policy stands in the Meta of a proxy: it acts for the model whose table the proxy uses.",
    "E035": "A key of MODELS is not the label of an installed model or app.",
    "E036": "An item of TRACK has the form of a label and names no model.",
    "W037": "An item of TRACK is the table of no model.",
    "E038": "A key of MODELS names a model that is swapped for another.",
    "E040": "cache_dependencies is not a list of paths.",
    "E041": "A path of cache_dependencies does not resolve.",
    "W050": "The store could not be asked (only with --deploy).",
    "E051": "Redis is older than 6.2 (only with --deploy).",
    "E052": "Redis may evict pending marks (maxmemory-policy allkeys-*) and a model asks for strict (only with --deploy).",
    "W053": "Redis may evict pending marks (maxmemory-policy allkeys-*) (only with --deploy).",
    "E054": "The store's server is a replica (only with --deploy).",
}
"""By id without the prefix ``cache_consistency.``; E errors, W warnings."""


def finding(number: str, message: str, *, hint: str, obj: object = None) -> checks.CheckMessage:
    """
    Return the message of one finding.

    :param number: a key of `CHECKS`.
    :param hint: what to do, as an imperative.
    :param obj: the model or setting it is about.
    """
    if number not in CHECKS:
        raise KeyError(number)
    kind = checks.Error if number[0] == "E" else checks.Warning
    return kind(message, hint=hint, obj=obj, id=PREFIX + number)
