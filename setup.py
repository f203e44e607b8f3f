"""Only what pyproject.toml cannot say: the compiled part (docs/adr/0024).

Without pip, into the sources: `python setup.py build_ext --inplace`.
"""

from setuptools import setup

setup(cffi_modules=["crypto/native/build.py:builder"])
