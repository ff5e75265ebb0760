B
upstream_yJ ωμΏ?Tª?cυ?M®Ώη–? cΏ…4x?