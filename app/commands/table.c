/* Every command is a row; a new one adds its line here and a file beside this one. */
#include "commands/commands.h"

const nset_command *const nset_commands[] = {
    &nset_cmd_compare,
    &nset_cmd_info,
    &nset_cmd_segment,
    &nset_cmd_simulate,
    &nset_cmd_sort,
    &nset_cmd_train,
    NULL,
};
