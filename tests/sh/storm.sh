#!/bin/bash
# SPDX-License-Identifier: ISC
# A server dies, and the clients of all its sessions come to two others at
# once: all go on, and none asks without end. `make storm` does it with 10,000.
set -u
cd "$(dirname "$0")/../.." || exit 1
storm="${BUILD:=build}/storm"
[ -x "$storm" ] || { echo "nothing built in $BUILD"; exit 77; }
all_go_on() {
	"$storm" "${HANDFAST:-$PWD/build/handfast}" 200
}
all_go_on
