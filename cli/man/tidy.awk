# SPDX-License-Identifier: ISC
# What mandoc -T lint has to say about scdoc's output, mended: paragraphs that
# hold nothing, long lines, a title in lower case. And no word is hyphenated, and
# a dash is a dash: what stands on the page can be copied into a shell.

# A paragraph begins where it has text: after the end of an indented block,
# never directly below a heading.
/^\.P$/ { paragraph = 1; next }
/^\.RE$/ { print; next }
/^\.S[HS] / { print; heading = 1; next }
/^\.TH / { $2 = toupper($2); print $0 "\n.nh"; heading = 1; next }
{
	if (paragraph && !heading)
		print ".P"
	paragraph = heading = 0
}
/^\.nf/ { verbatim = 1 }
/^\.fi/ { verbatim = 0 }
/^[.']/ { print; next }
{
	gsub(/-/, "\\-")
	gsub(/\\h'\\-/, "\\h'-") # an indent
	while (!verbatim && length($0) > 79) {
		for (i = 79; i > 0 && substr($0, i, 2) !~ /^ [^.']/; i--)
			continue
		if (i == 0)
			break
		print substr($0, 1, i - 1)
		$0 = substr($0, i + 1)
	}
	print
}
