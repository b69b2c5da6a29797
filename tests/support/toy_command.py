"""``paper-repro`` with the toy experiment beside the real ones: a program for tests to start and to kill."""

import sys

import toy_experiment

from paper_repro import cli, experiment

if __name__ == "__main__":
    experiment.register(toy_experiment.EXPERIMENT)
    sys.exit(cli.main(sys.argv[1:]))
