"""Codes and a voice to sound: rendering, conversion, generation, enrolment."""
