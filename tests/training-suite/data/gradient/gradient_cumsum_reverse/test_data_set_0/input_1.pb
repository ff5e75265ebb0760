B
upstream_yJ ›ê$?Ápñø8aød<µ?eÀó?€]øyÒú?J^∞ø