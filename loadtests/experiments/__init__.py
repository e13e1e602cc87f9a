"""The experiments, one file each: question, prediction, load, fault, verdict.

`loadtests.lab.experiment` says how to write one.
"""
