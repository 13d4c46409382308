"""The lab: a small reasoner of our own, so that the whole pipeline runs anywhere in minutes.

Its problems, its tokenizer, its weights and how they were trained. Its verbosity was written by
us (``traces.py``): it shows that the machinery works, not what your model will do.
"""
