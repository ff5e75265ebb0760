/* Signals that end a training: SIGINT, SIGTERM and SIGHUP end the step that runs, then what is done is written. */
#ifndef KILN_TOOLS_STOP_H
#define KILN_TOOLS_STOP_H

#include "tools.h"

/* From here on such a signal cancels the context; a second one ends the command at once. One that was ignored when the
 * command began, as nohup does, stays ignored. */
void stop_watch(kiln_context *context);
/* Which one came, 0: none. What is done with the context from here on is not cancelled, and signals do what they did. */
int stop_caught(void);
/* "SIGINT" */
const char *stop_name(int signal);

#endif
