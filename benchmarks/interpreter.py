"""How long a picture takes where Core ML is not: python benchmarks/interpreter.py PACKAGE."""

import argparse
import os
import statistics
import time

from mobileone_mm.artifact.card import IMAGE, info_of
from mobileone_mm.pictures.reading import drawn_picture
from mobileone_mm.targets.coreml.package import open_package
from mobileone_mm.targets.opening import open_artifact

WARM_UP = 3

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument('package')
parser.add_argument('--runs', type=int, default=30)
args = parser.parse_args()

start = time.perf_counter()
artifact = open_artifact(args.package)
print(f'opened in {time.perf_counter() - start:.2f} s')
picture = drawn_picture(info_of(open_package(args.package).metadata).input_size)
times = []
for _ in range(WARM_UP + args.runs):
    start = time.perf_counter()
    artifact.predict({IMAGE: picture})
    times.append(1000 * (time.perf_counter() - start))
times = times[WARM_UP:]
print(f'median {statistics.median(times):.0f} ms, fastest {min(times):.0f} ms; load {os.getloadavg()[0]:.1f}')
