#pragma once

/* Removes everything in a folder of ours, not what links in it point to, and not what is mounted there. Nothing there is fine. */
void folder_empty(const char *path);
