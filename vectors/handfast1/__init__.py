# SPDX-License-Identifier: ISC
"""handfast/1 written from spec/handfast.md alone, for vectors and interop.

It is made to be read and compared, not to keep secrets: it does not run in
constant time and does not wipe.
"""
