#include "unit.h"
#include <stdlib.h>

int main(void)
{
    SRunner *runner;
    int failures;

    setenv("CK_DEFAULT_TIMEOUT", "300", 0); /* for machines under load, and sanitizers */
    runner = srunner_create(suite());
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
