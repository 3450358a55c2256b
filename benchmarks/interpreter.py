"""How long a picture takes where Core ML is not: python benchmarks/interpreter.py PACKAGE."""

import argparse
import os
import statistics
import time

from mobileone_mm import open_artifact
from mobileone_mm.artifact.card import IMAGE
from mobileone_mm.pictures.synthetic import drawn_picture

WARM_UP = 3

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument('package')
parser.add_argument('--runs', type=int, default=30)
args = parser.parse_args()

start = time.perf_counter()
artifact = open_artifact(args.package)
print(f'opened in {time.perf_counter() - start:.2f} s')
picture = drawn_picture(artifact.card.input_size)
times = []
for _ in range(WARM_UP + args.runs):
    start = time.perf_counter()
    artifact.predict({IMAGE: picture})
    times.append(1000 * (time.perf_counter() - start))
times = times[WARM_UP:]
print(f'median {statistics.median(times):.0f} ms, fastest {min(times):.0f} ms; load {os.getloadavg()[0]:.1f}')
