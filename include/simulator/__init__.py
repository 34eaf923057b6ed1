"""Imitates the registers and systems around a Norwegian school owner, over real HTTP and in real files.

Maskinporten, FREG (Folkeregisteret) and KRR answer over HTTP (``server``); the HR system and the school administration
system (SAS) drop files (``files``). The people are made from a seed (``world``) and are all synthetic: month + 80 in
their numbers, as in Skatteetaten's own test population. The simulator is independent: it imports nothing of what it
tests.
"""
