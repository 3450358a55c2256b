"""Hostile tries of the commands: what is changed, how a try is run, and how it is judged."""

import os

# Before any library reads them: a child of a process with threads has locks that nobody opens.
os.environ |= dict.fromkeys(('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'), '1')
