#!/bin/bash
# SPDX-License-Identifier: ISC
# make cross: the library, its unit tests and the vectors on s390x (big-endian)
# and i386 (32 bits), by gcc and clang, run by qemu; and the library and its
# tests with musl. What those need comes from Debian and is unpacked below
# build-cross: nothing is installed, and this system learns of no other
# architecture. Words: those to build, of s390x-gcc, i386-clang, musl, ...
# LIBRARIES are the packages that the program and its tests are linked with.
set -eu
cd "$(dirname "$0")/.."
dir=$PWD/build-cross
make="${MAKE:-make} --no-print-directory -j$(nproc)"
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL
failed=

# fetch DIR ARCHITECTURE WORDS...: apt-get with all of its state in DIR.
fetch() {
	local d=$1 arch=$2
	shift 2
	mkdir -p "$d"/{lists,cache/archives}/partial
	apt-get -qq -o APT::Architecture="$arch" -o APT::Architectures="$arch" \
	    -o Dir::State::Lists="$d/lists" -o Dir::State::Status=/dev/null \
	    -o Dir::Cache="$d/cache" -o APT::Sandbox::User=root \
	    -o Debug::NoLocking=1 "$@"
}

# sysroot ARCHITECTURE: unpacks its libraries into $dir/ARCHITECTURE/root.
sysroot() {
	local d=$dir/$1 deb
	[ "$(cat "$d/done" 2>/dev/null)" != "$LIBRARIES" ] || return 0
	echo "fetching libraries for $1"
	# Sources that know nothing of it are no matter.
	fetch "$d" "$1" update || :
	fetch "$d" "$1" install -y --no-install-recommends --download-only \
	    libgcc-12-dev $LIBRARIES >/dev/null || return
	mkdir -p "$d/root"
	for deb in "$d"/cache/archives/*.deb; do
		dpkg -x "$deb" "$d/root" || return
	done
	echo "$LIBRARIES" >"$d/done"
}

# Debian's sources of what musl's side needs, built into $dir/musl. 77: a
# source is not to be had, so that the library can be compiled but not linked.
musl_library() {
	local d=$dir/musl src=$dir/musl/src name
	[ ! -e "$d/done" ] || return 0
	echo 'building libsodium, libcbor, cmocka and jansson with musl'
	mkdir -p "$src" "$d"/{etc,include,lib}
	for f in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
		[ ! -f "$f" ] || sed -e 's/^deb /deb-src /' \
		    -e 's/^Types:.*/Types: deb-src/' "$f" >"$d/etc/${f##*/}"
	done
	touch "$d/etc/sources.list"
	fetch "$d" amd64 -o Dir::Etc::SourceList="$d/etc/sources.list" \
	    -o Dir::Etc::SourceParts="$d/etc" update || :
	for name in libsodium libcbor cmocka jansson; do
		[ ! -d "$src/$name" ] || continue
		(cd "$src" && fetch "$d" amd64 \
		    -o Dir::Etc::SourceList="$d/etc/sources.list" \
		    -o Dir::Etc::SourceParts="$d/etc" source \
		    --download-only --only-source "$name") || {
			echo "note: apt-get has no source of $name here"
			return 77
		}
		mkdir -p "$src/$name"
		tar -xf "$src/$name"_*.orig.tar.?z -C "$src/$name" \
		    --strip-components=1 || return
	done
	for name in libsodium jansson; do
		(cd "$src/$name" && autoreconf -fi && ./configure -q \
		    CC=musl-gcc --prefix="$d" --disable-shared \
		    --disable-dependency-tracking &&
		    $make -s install) >"$d/$name.log" 2>&1 || {
			tail "$d/$name.log"
			return 1
		}
	done
	# These two want cmake. Of libcbor the stream decoder and the encoders
	# are enough, with the headers that this machine's has.
	cp -r /usr/include/cbor /usr/include/cbor.h "$d/include"
	cp "$src/cmocka/include/cmocka.h" "$d/include"
	# The kernel's headers, for tests.
	cp -r /usr/include/{linux,asm-generic} \
	    "/usr/include/$(gcc -print-multiarch)/asm" "$d/include"
	(cd "$src" && musl-gcc -O2 -c -I"$d/include" \
	    libcbor/src/cbor/{callbacks,encoding,streaming}.c \
	    libcbor/src/cbor/internal/{encoders,loaders}.c &&
	    ar rcs "$d/lib/libcbor.a" ./*.o && rm ./*.o &&
	    musl-gcc -O2 -c -w -Icmocka/include -DHAVE_SIGNAL_H \
		-DHAVE_INTTYPES_H -DHAVE_STRINGS_H -DHAVE_STRUCT_TIMESPEC \
		cmocka/src/cmocka.c &&
	    ar rcs "$d/lib/libcmocka.a" cmocka.o) || return
	touch "$d/done"
}

# one NAME CC RUN VARIABLES...: builds and tests in $dir/NAME
one() {
	local name=$1 run=$3 vectors
	set -- BUILD="$dir/$name" CC="$2" RUN="$3" TEST_SECONDS=3600 "${@:4}"
	echo "--- $name"
	$make "$@" unit-proto || failed="$failed $name"
	[ -d vectors/ok ] && grep -q vectors cli/handfast.c &&
	    [ "$name" != musl-gcc ] || return 0
	$make "$@" all || { failed="$failed $name:program"; return; }
	for vectors in vectors/ok vectors/bad; do
		$run "$dir/$name/handfast" vectors verify $vectors ||
		    failed="$failed $name:$vectors"
	done
}

for name in ${*:-s390x-gcc s390x-clang i386-gcc i386-clang musl}; do
	arch=${name%-*}
	triple=${arch/i386/i686}-linux-gnu
	root=$dir/$arch/root
	case $name in
	musl) musl_library || [ $? -eq 77 ] || failed="$failed musl:libraries" ;;
	*) sysroot "$arch" || { failed="$failed $name:libraries"; continue; } ;;
	esac
	case $name in
	*-gcc) one "$name" "$triple-gcc --sysroot=$root" "qemu-$arch -L $root" ;;
	*-clang)
		one "$name" "clang --target=$triple --sysroot=$root" \
		    "qemu-$arch -L $root"
		;;
	musl)
		if [ -e "$dir/musl/done" ]; then
			one musl-gcc musl-gcc '' CPPFLAGS="-isystem $dir/musl/include" \
			    LDFLAGS="-L$dir/musl/lib"
		else
			echo '--- musl-gcc: objects alone'
			mkdir -p "$dir/musl/include"
			cp -r /usr/include/sodium* /usr/include/cbor* \
			    "$dir/musl/include"
			$make CC=musl-gcc BUILD="$dir/musl-gcc" \
			    CPPFLAGS="-isystem $dir/musl/include" \
			    "$dir/musl-gcc/libhandfast.a" ||
			    failed="$failed musl-gcc"
		fi
		;;
	esac
done
[ -z "$failed" ] || { echo "failed:$failed"; exit 1; }
echo 'cross: all passed'
