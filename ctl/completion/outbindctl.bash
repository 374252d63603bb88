# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for outbindctl: the program itself knows what could come next. Where it says
# nothing, bash offers file names (-o default).

_outbindctl()
{
	local i candidates

	# the command behind `exec BINDING --` completes as a command line of its own
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} == -- ]] && declare -F _command_offset >/dev/null; then
			_command_offset $((i + 1))
			return
		fi
	done
	candidates=$("${COMP_WORDS[0]}" --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
	mapfile -t COMPREPLY <<<"$candidates"
	[[ -n $candidates ]] || COMPREPLY=()
}
complete -o default -F _outbindctl outbindctl
