"""The files of the exchange's archive: what they are called, how their columns are laid out, how they are unpacked.

A format is a `Layout` in a file of its own; `recognise.LAYOUTS` lists them all.
"""
