B
upstream_yJ'ö»¿s¬³?2E©?H/9¿Ù¨¿ó¾?