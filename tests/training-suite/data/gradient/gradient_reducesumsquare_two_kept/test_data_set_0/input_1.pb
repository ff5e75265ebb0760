B
upstream_yJ‰«?îÔ	¿@`±¿