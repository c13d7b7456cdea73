#include <stdio.h>

int main(void)
{
    puts("neuroset 0.1.0");
    return 0;
}
