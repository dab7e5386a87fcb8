"""``python -m example_project.demo``: run the demonstration; with ``redis stop|start|status``: tell the running one."""

import os
import sys

from example_project.demo import control
from example_project.demo.conductor import RUN_FILE, conduct
from example_project.demo.options import BadOption, from_environment
from example_project.demo.screen import Screen

_USAGE = """python -m example_project.demo                            run the shop under traffic until Ctrl-C
python -m example_project.demo redis stop|start|status    tell the one that runs, from a second terminal

By the environment: SECONDS=30  CACHE=consistent|naive|off  DB=sqlite|postgres  READERS=2  WRITERS=2  READ_RATE=1500  WRITE_RATE=20
                    PORT=8000  PRODUCTS=2000  CUSTOMERS=500  ORDERS=1000  DATABASE_URL  REDIS_URL  CELERY_BROKER_URL"""


def main(arguments: list[str]) -> int:
    if not arguments:
        try:
            options = from_environment(os.environ)
        except BadOption as error:
            print(error, file=sys.stderr)
            return 2
        return conduct(options, Screen())
    if len(arguments) == 2 and arguments[0] == "redis" and arguments[1] in {"stop", "start", "status"}:
        try:
            print(control.ask(RUN_FILE, " ".join(arguments)))
        except control.NotRunning as error:
            print(error, file=sys.stderr)
            return 1
        return 0
    print(_USAGE, file=sys.stdout if arguments in (["-h"], ["--help"]) else sys.stderr)
    return 0 if arguments in (["-h"], ["--help"]) else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
