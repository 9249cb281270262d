"""What an instructor needs beside the lessons, made from them by rule.

slides: a deck for each lesson; exam: questions, papers, answer sheets; guide: the parts of the
instructors' guide that are tables of something else.
"""
