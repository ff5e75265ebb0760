B
upstream_yJ Ël¿ÛĞ§¿úr‡¿è[“?HI?=¿m½q¿ô†¿