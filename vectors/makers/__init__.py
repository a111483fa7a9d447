# SPDX-License-Identifier: ISC
"""What the vectors are about; make.py writes them."""
