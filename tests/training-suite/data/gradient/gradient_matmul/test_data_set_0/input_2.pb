B
upstream_yJpH/?¯›¨?`™ˆ?ñÊ-¿©v™¿¸¤?